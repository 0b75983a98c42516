"""Text made from HTML: what a person would like to read."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulkmail.message.plain_text import plain_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p>\n<p>Two</p>", "One\n\nTwo\n"),
        ("<p>One<p>Two", "One\n\nTwo\n"),
        ("a<br>b<br/>c", "a\nb\nc\n"),
        ("a<br><br>b", "a\n\nb\n"),
        ("<div>a</div><div>b</div>", "a\nb\n"),
        ("<h1>Dear   <b>Ann</b>,</h1>welcome", "Dear Ann,\n\nwelcome\n"),
        ("&lt;b&gt; &amp; caf&eacute;&nbsp;&#x738B;", "<b> & café 王\n"),
        ("<style>p{}</style><script>x</script><title>t</title>seen<!-- no -->", "seen\n"),
        ("<head><meta charset=utf-8><title>t</title></head><body>seen</body>", "seen\n"),
        ('<div style="display:none">pre<i>head</i>er</div>seen', "seen\n"),
        ('<img style="display: none" src=x>seen', "seen\n"),
        ("<p hidden>no</p>seen", "seen\n"),
        ("<!--[if mso]>outlook<![endif]-->seen<![if !mso]>too<![endif]>", "seentoo\n"),
        ('<a href="https://x.example/">here</a>', "here (https://x.example/)\n"),
        ('<a href="https://x.example/">https://x.example/</a>', "https://x.example/\n"),
        ('<a href="https://x.example/"><img alt=""></a>', "https://x.example/\n"),
        ('<img alt="Logo"><img alt="Ada">Dear all', "Logo Ada Dear all\n"),
        ('<a href="https://x.example/"><img alt="Shop"></a>', "Shop (https://x.example/)\n"),
        ('<a href="mailto:a@b.example">a@b.example</a>', "a@b.example\n"),
        ('<a href="mailto:a@b.example">write</a>', "write (a@b.example)\n"),
        ('<a href="#top">up</a><a href="javascript:x()">do</a>', "updo\n"),
        ("<ul><li>a<li>b</ul>c", "- a\n- b\n\nc\n"),
        ("<ol><li>a</li><li>b</li></ol>", "1. a\n2. b\n"),
        ("<ol start=9><li>a</li></ol>", "9. a\n"),
        ("<ol><li>a<li value=7>b<li>c<li value=x>d</ol>", "1. a\n7. b\n8. c\n9. d\n"),
        ("<details><summary>More</summary>of it</details>", "More\nof it\n"),
        ("<ul><li>a<ul><li>b</ul><li>c</ul>", "- a\n  - b\n- c\n"),
        ("<ul><li><p>a</p><p>b</p></li><li>c</li></ul>", "- a\n\n  b\n\n- c\n"),
        ("<table><tr><th>Pay<th>Start<tr><td>1</td><td>May</table>", "Pay | Start\n1 | May\n"),
        ("<table><tr><td></td><td><p>a</p></td></tr></table>", "a\n"),
        ("<blockquote>a<p>b</blockquote>c", "> a\n>\n> b\n\nc\n"),
        ("<blockquote><p>a</p></blockquote>b", "> a\n\nb\n"),
        ("<p>a</p><blockquote><ul><li>b</ul></blockquote>", "a\n\n> - b\n"),
        ("<blockquote>a<blockquote><p>b</p></blockquote>c</blockquote>", "> a\n>\n> > b\n>\n> c\n"),
        ("<ul><li><blockquote>a<br>b</blockquote></ul>", "- > a\n  > b\n"),
        ("<ol start=9><li>a<li>b</ol>", "9. a\n10. b\n"),
        ("<p>a</p><p>&gt;&gt;&gt;</p><p>b</p>", "a\n\n>>>\n\nb\n"),
        ("<pre>a\n&gt;\n\n&gt; b</pre><p>c", "a\n>\n\n> b\n\nc\n"),
        ("<blockquote><ol start=99><li>a<li>b</ol></blockquote>", "> 99. a\n> 100. b\n"),
        ("<ul><li></li></ul><p>a</p>", "a\n"),
        ("<ul><li></li></ul><blockquote>a</blockquote>", "> a\n"),
        ("<blockquote><ul><li></blockquote>a", "a\n"),
        ("<ul><li><ul></ul>a</ul>", "- a\n"),
        ("<pre>a  b\n  c</pre>d", "a  b\n  c\n\nd\n"),
        ("a<hr>b", "a\n\n----\n\nb\n"),
        ("", "\n"),
        ("</ul></li></a></blockquote></pre>x", "x\n"),
    ],
)  # fmt: skip
def test_html_reads_as(html: str, text: str) -> None:
    assert plain_text(html) == text


TAGS = (
    "<p> </p> <ul> </ul> <li> <ol> <blockquote> </blockquote> <td> <tr> </a> <pre> </pre> <![ <!--"
    " --> <![cdata[ <!x &#x <script> </script> <br> <style <? text & ]]> <![if"
)
SOUP = st.lists(
    st.sampled_from([*re.findall(r"\S+", TAGS), " ", "\n", "<a href='https://x.example'>"]),
    max_size=30,
).map("".join)


@given(st.text() | SOUP)
@example("<![foo[")
@example("<![CDATA[x")
@example("<ol start=²><li>x")
@example("<ol start=99999999999999999999><li>x")
@example(f"<ol start={'9' * 5000}><li>x")
def test_any_html_is_readable(html: str) -> None:
    text = plain_text(html)

    assert text.endswith("\n")
    assert "\n\n\n" not in text or "<pre" in html
