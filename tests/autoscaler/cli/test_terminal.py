from autoscaler.cli.terminal import Terminal, fail


def test_what_others_wrote_moves_no_cursor(capsys):
    Terminal().note("profile \x1b[2Jsmall\u202e is not known")
    fail("a\rb\nc")

    assert capsys.readouterr().err == (
        "profile \ufffd[2Jsmall\ufffd is not known\nerror: a\nerror: b\nerror: c\n"
    )
