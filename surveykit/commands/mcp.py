"""`surveykit mcp`: the catalog for programs that speak the Model Context Protocol."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

_ABOUT = """\
It reads requests from standard input and answers on standard output until the other side closes the connection. Tools:
fields, query, show, count, fit and check. No tool writes anything. Add the command to the settings of your client:

  {"mcpServers": {"surveykit": {"command": "surveykit", "args": ["mcp"]}}}"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = f"{_ABOUT}\n\n{parser.epilog}"


def run(arguments: Namespace) -> int:
    from surveykit.api.serving import mcp

    mcp(catalog=arguments.catalog)
    return 0
