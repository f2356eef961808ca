"""Keys: software (sealed) and PKCS#11, and the signer process that alone may use them."""
