"""The card agent: runs where the card is, shows what is asked for, signs it, submits it (ADR 23).

It imports the kernel and pkix only.
"""
