"""The contracts as tests, shipped so that a plug-in can hold its own parts to them.

One module a contract, with plain functions: they return when the part keeps its contract and raise AssertionError with
a sentence that says what it did instead, or ContractError where it touched the world. They know no part by name and no
test runner; where many orders are possible, the order tried follows from ``seed``.
"""
