"""Long methods: how they are started, report their progress, and are resumed."""
