"""The doctor for a cluster: what of an installation is missing, refused or out of date."""
