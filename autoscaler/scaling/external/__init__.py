"""External scalers, both ways: endpoints that are asked, and the one that answers."""
