"""Users: the people of the platform, shared by all campaigns; passwords are hashed and never returned."""
