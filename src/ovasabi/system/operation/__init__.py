"""Operations: long-running work, from start to result, whichever process carries it out."""
