"""Operations, on stand-ins for its ports."""
