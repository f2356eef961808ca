"""Other people's logs and notes. Origin: C2SP/C2SP signed-note.md and tlog-cosignature.md (the
note), transparency-dev/tessera testdata and its public test key (roots, checkpoint),
FiloSottile/sunlight cmd/skylight/testdata (a witness's cosignature)."""

# Tessera's public test key.
TESSERA_KEY = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
_ENTRIES = "one two three four five six seven eit nain ten ileven twelf threeten fourten fivten"
TESSERA_ENTRIES = _ENTRIES.split(" ")
TESSERA_LEAF_ONE = "d0d7360ab79f58ab1e1e3fe64ad77e2ea0bc07e36b5f46ed2223edd9298df9e9"
TESSERA_ROOTS = {
    1: "0Nc2CrefWKseHj/mStd+LqC8B+NrX0btIiPt2SmN+ek=",
    2: "T1X2GdkhUjV3iyufF9b0kVsWFxIU0VI4EpNml2Teci4=",
    3: "Wqx3HImawpLnS/Gv4ubjAvi1WIOy0b8Ze0amvqbavKk=",
    4: "zY1lN35vrXYAPixXSd59LsU29xUJtuW4o2dNNg5Y2Co=",
    5: "gy5gl3aksFyiCO95a/1vLXz88A3dRq+0l9Sxte8ZqZQ=",
    6: "a6sWvsc2eEzmj72vah7mZ5dwFltivehh2b11qwlp5Jg=",
    7: "IrSXADBqJ7EQoUODSDKROySgNveeL6CFhik2w/+fS7U=",
    14: "SvCd38yNade7xEPY1a/aAc1M3A2AHYVF8lIiUnsH1ao=",
    15: "rKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=",
}
# A proof from a log of Tessera's, under that key.
TESSERA_PROOF = """c2sp.org/tlog-proof@v1
index 100252
+4IF875THRSj6IOZo2SRpgL6buVI/cawB2iLGFLgWDQ=
nBeqO1BayYMNXX05jMGGtCfprprlSVASVTUUwA0OC9E=
zpUmeEe94VcV/jft8wYlUcDx9yr2kff2jq9QW295vhw=
DTWvScrZyztZdQo5YhJ2Sioo6xDCRDgnoxJJJhN5vl0=
550NhxNMkqzfWFptIePTfVic0rHovJMectLfzaLgh5U=
aoGmNLa5zDVavVfeWhrAxU3duQ0m2TB489dVEGmquO8=
Sbbxxj/8zvCs1q23zn+3wxE9OfJyqVtajvLlvg4FOaI=
WuiUqI+eMKiZ4OUa9CORDO64u91gs7kbTzQYw/e/Khg=
nxkvRAG/1vChJgwuphcHSaCBWcBXebV52Nd3sGxP2kI=
8xVjSf6ZkYSabrgN8m3ePiWgQSpafmz8FXTCfv7guck=
uIkQsFgLVnAeDt5KgZP6l3eJ6YzFz2p92KwlA50Ea5Q=
8SliMOQ4QRiNiRzAt4iEDvrOC0ETwRssbnOdutGqPhA=

example.com/log/testdata
100270
GRV1O0dCqmjjPvYi7CtOT79zb/fPwLNsMFWsynwU8Ac=

\u2014 example.com/log/testdata \
M9e0lkcvy5bAe7rrC8tCyAP+my+CLzswA91zOpBNWVU7qCojkUOHnfdQzDImoYeYH8G8PJSwOqsx0RkSa261OmKVwwM=
"""

SUNLIGHT_WITNESS_KEY = "witness.example.org+b8a2cf20+BFLN3yikSfFkVAJtrnh/CiY3Zozkoy7clp+P7XB28qUN"
SUNLIGHT_COSIGNED = """rome2026h1.example.org
300
lCkHUpkmVBEms2r2T1K6Og69+wUuuN3MIEW1/ezu2v0=

\u2014 rome2026h1.example.org kVB1JgAAAZtxtEwABAMARzBFAiEAi+mTa2xjL1IdWpH82OeciGsGvwRAP+f1WkfKaSZ\
CfFECIHoNPZ/Q3y6UNzvKOO9cuLr6V16vPNfhwhle9f6r5H/Z
\u2014 witness.example.org uKLPIAAAAABpVGeAhm2bOvKc3LaB9PFN1ruG19Y5yqslmcAAbhftnn1Zznmo0LXFZq4LGvqK\
qLX8jWlwLKasxEGTLIqAVusneCBmBw==
"""
