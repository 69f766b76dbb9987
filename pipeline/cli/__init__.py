"""The command line, `vlsenet`: thin doors to the bundle's workflows; what is heavy is loaded when it is used."""
