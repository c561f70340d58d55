"""The ``GPU`` objects of this node: made, described and removed as its devices come and go."""
