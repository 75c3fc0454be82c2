"""Operations: long-running work, from its start to its result, whichever process carries it out."""
