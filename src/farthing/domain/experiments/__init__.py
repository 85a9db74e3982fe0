"""Experiments between strategies or models: who gets which arm, what its results say, and when that may decide.

`definition` says what is compared and is fixed when an experiment begins, `assignment` which arm a user gets,
`data` what the store hands over, `results` what is told of it, `analysis` how one follows from the other, `decision`
the verdict, `series` the chart and `plan` how many results are needed. The method is that of docs/experiments.md.
"""
