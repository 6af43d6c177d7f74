"""A statement of Snowflake's as words, taken one after the other, as sqlglot's tokenizer reads them.

Belongs here: taking words, names and bodies off a statement. Does not belong here: what they mean.
"""

from __future__ import annotations

import sqlglot
from sqlglot.tokens import Token, TokenType


class Words:
    """A statement's tokens, taken one after the other."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens: list[Token] = sqlglot.tokenize(text, read="snowflake")
        self._at = 0

    def accept(self, *words: str) -> bool:
        there = self._tokens[self._at : self._at + len(words)]
        if [token.text.upper() for token in there] != list(words):
            return False
        if any(token.token_type is TokenType.IDENTIFIER for token in there):
            return False
        self._at += len(words)
        return True

    def expect(self, *words: str) -> None:
        assert self.accept(*words), f"{' '.join(words)} is missing in: {self.text}"

    def word(self) -> str:
        token = self._tokens[self._at]
        self._at += 1
        return token.text.upper()

    def name(self) -> str:
        token = self._tokens[self._at]
        assert token.token_type is TokenType.IDENTIFIER, f"a name is not quoted in: {self.text}"
        self._at += 1
        return token.text

    def once(self) -> str:
        """The name that stands here, however often it is asked for."""
        return self._tokens[self._at].text

    def pair(self) -> tuple[str, str]:
        first = self.name()
        self.expect(".")
        self.pair_read = (first, self.name())
        return self.pair_read

    def parenthesised(self) -> str:
        depth, begin = 0, self._tokens[self._at].start
        while True:
            token = self._tokens[self._at]
            self._at += 1
            depth += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(token.token_type, 0)
            if depth == 0:
                return self.text[begin : token.end + 1]

    def until(self, kind: TokenType) -> str:
        begin = self._tokens[self._at].start
        while self._tokens[self._at].token_type is not kind:
            self._at += 1
        found = self.text[begin : self._tokens[self._at].start].strip()
        self._at += 1
        return found

    def until_comment(self) -> str:
        begin = self._tokens[self._at].start
        return self.text[begin : self._tokens[-3].start].strip()

    def rest(self) -> str:
        return self.text[self._tokens[self._at].start :]

    def comment(self) -> str:
        self.expect("COMMENT", "=")
        return self._tokens[self._at].text
