"""Three small messages by BDAT: their content, and what the client says for each."""

ONE = """
    C: MAIL FROM:<a@x.example>
    C: RCPT TO:<b@y.example>
    C: BDAT 28 LAST
    C: Subject: hi
    C:
    C: .dot one
    C: .
"""
TWO = """
    C: MAIL FROM:<a@x.example>
    C: RCPT TO:<c@y.example>
    C: BDAT 20 LAST
    C: Subject: hi
    C:
    C: two
"""
THREE = TWO.replace("<c@", "<d@")
REFUSED = """
S: 250 2.1.0 ok
S: 250 2.1.5 ok
S: 554 transaction failed
"""
CONTENT_ONE = b"Subject: hi\r\n\r\n.dot one\r\n.\r\n"
CONTENT = b"Subject: hi\r\n\r\ntwo\r\n"
