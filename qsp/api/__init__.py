"""Python interface: molecules, patients, regimens, trials and their results.

`import qsp` offers these names without importing the solver. A trial built here is the same object
as one read from a config: regimens and patients become the tables of a config, which are checked
like those of a file.

::

    molecule ---+
                +-- sample --> People ---+
    population -+                        +-- Trial -- simulate --> Results
    iv, sc, civ, drugs -- regimen -------+
"""
