"""How an API server changes objects: merge patches, strategic ones, and applied status."""

import copy

MERGE_KEYS = {
    "conditions": "type",
    "containers": "name",
    "env": "name",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "ownerReferences": "uid",
    "schedulingGates": "name",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
"""Lists of the built-in kinds whose entries a strategic patch tells apart; others are replaced."""


def merged(value, patch):
    """Return a JSON value as RFC 7396 says."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(value) if isinstance(value, dict) else {}
    for key, part in patch.items():
        if part is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), part)
    return result


def strategically_merged(value, patch):
    """Return an object of a built-in kind with a strategic merge patch applied."""
    result = dict(value) if isinstance(value, dict) else {}
    for key, part in patch.items():
        if key.startswith("$"):
            continue
        if part is None:
            result.pop(key, None)
        elif isinstance(part, dict):
            result[key] = strategically_merged(result.get(key), part)
        elif isinstance(part, list) and key in MERGE_KEYS:
            result[key] = _merged_list(result.get(key) or [], part, MERGE_KEYS[key])
            if not result[key]:
                del result[key]
        else:
            result[key] = copy.deepcopy(part)
    return result


def _merged_list(items, patch, key):
    by_key = {item[key]: item for item in items}
    for part in patch:
        if part.get("$patch") == "delete":
            by_key.pop(part[key], None)
        else:
            by_key[part[key]] = strategically_merged(by_key.get(part[key]), part)
    return list(by_key.values())


class AppliedStatus:
    """Who applied which fields and conditions of the status of one object."""

    def __init__(self):
        self._parts = {}
        """Field manager to names of fields, and to types of conditions."""

    def apply(self, status, applied, manager):
        """Return a status in which the part of a manager is what it applies now."""
        fields = {key for key in applied if key != "conditions"}
        wanted = {each["type"]: each for each in applied.get("conditions") or ()}
        old_fields, old_types = self._parts.get(manager, (set(), set()))
        self._parts[manager] = (fields, set(wanted))
        gone = {key for key in old_fields - fields if not self._is_owned(key, 0)}
        result = {key: value for key, value in status.items() if key not in gone}
        result |= copy.deepcopy({key: applied[key] for key in fields})
        lost = {kind for kind in old_types - set(wanted) if not self._is_owned(kind, 1)}
        conditions = [
            copy.deepcopy(wanted.pop(each["type"], each))
            for each in status.get("conditions") or ()
            if each["type"] not in lost
        ]
        conditions += copy.deepcopy(list(wanted.values()))
        result.pop("conditions", None)
        return {**result, "conditions": conditions} if conditions else result

    def _is_owned(self, name, part):
        return any(name in parts[part] for parts in self._parts.values())
