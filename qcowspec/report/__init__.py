"""What people and machines read: an image laid open, as text, JSON or YAML."""
