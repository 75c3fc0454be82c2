"""Content: articles, posts, videos and stories, with their comments and reactions."""
