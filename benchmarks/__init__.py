"""What is measured of this library, turn by turn with its peers: `python -m benchmarks --help`.

Nothing is imported here: workers run this package in the environments of peers, too.
"""
