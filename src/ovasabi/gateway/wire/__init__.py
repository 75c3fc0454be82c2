"""What both protocols of the gateway share: addresses, constants and the error envelope."""
