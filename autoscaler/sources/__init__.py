"""Where usage comes from: one protocol, several implementations."""
