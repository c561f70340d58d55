"""What a user wants of the recommender: fields, defaults, aliases and problems, and nowhere else.

``model`` the frozen ``Policy`` of one workload.  ``fields`` the table of documented fields, with
``field``, ``first_generation`` and ``current_generation`` below it.  ``resolve`` precedence of
annotations, profile, pool rule and defaults, over ``settings``, ``stated``, ``annotations`` and
``profiles``.  ``parse`` settings to a policy, over ``values``, ``taking``, ``generations``,
``vertical`` and ``horizontal``.  ``table`` the policies of a fleet as columns for ``decide``.
``schema`` and ``describe`` show the table to editors and people.
"""
