"""What a user wants of the recommender: fields, defaults, aliases and problems, and nowhere else.

``model`` the frozen ``Policy`` of one workload · ``fields`` the table of documented fields ·
``parse`` a mapping to a policy · ``resolve`` precedence of annotations, profile and defaults ·
``table`` the policies of a fleet as columns for ``decide``.
"""
