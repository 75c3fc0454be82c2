"""Operations: long-running work, from start to result, in any process."""
