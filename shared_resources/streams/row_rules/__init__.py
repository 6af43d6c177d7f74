"""Row rules: a contract's rules asked of messages, in polars, with the audit's own verdicts.

Belongs here: which rule a message alone decides, which needs a window or the product, asking those of
many messages at once.
Does not belong here: the condition of a kind of rule (`contracts/rules/`), decoding messages
(`streams/decoding/`), what becomes of a rejected message.

A window is decided by the audit; this, held to the same verdicts, decides at the gate
(`streams/gate/`).
"""
