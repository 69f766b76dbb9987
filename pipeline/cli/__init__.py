"""The command line, `vlsenet`: thin doors to the bundle's workflows; what is heavy is loaded when it is used.

Words enter; a message, files and an exit status leave. A command runs the bundle's config in its own process, so that
the two cannot diverge, and passes on only what was given. A command is a module here and a line of `COMMANDS` in
`main.py`; its options are declared in `pipeline.options`.
"""
