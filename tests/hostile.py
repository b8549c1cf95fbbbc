"""Fifty names from outside that try to break out of YAML, PromQL, templates, formulas, Markdown and shells."""

BREAKS = (
    *('"} or vector(1) #', "' or 1=1 --", "{{ .Labels.job }}", "{{end}}", "$(rm -rf /)", "`id`", "${HOME}", "a\nb: c"),
    *("- x: y", "&a [*a]", "!!python/object:os.system", "|\n  x", "a: b # c", "\ttab", "\\", '\\"'),
    *("=1+1", "+1", "-1", "@SUM(A1)", '=HYPERLINK("https://example.com")', "=cmd|' /C calc'!A0"),
    *("# head", "* item", "1. item", "[x](javascript:alert(1))", "<script>alert(1)</script>", "![x](y)", "a|b", "***"),
    *("_x_", "~~~", "---", "&lt;b&gt;", "$x$", "a*b*c", "+ item", "2) item", "> quote", "===", "`", "[[x]]"),
    *("\u202eevil", "a\u2028b", "\x00\x07", "\U0001f600", "..", "%0a", "null", "~"),
)
