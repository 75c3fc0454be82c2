"""Users: the people of the platform, global; their passwords are sealed and never shown."""
