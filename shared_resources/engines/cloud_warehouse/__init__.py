"""Snowflake: a database role a consumer, and a secure view an agreement, behind policies.

Belongs here: Snowflake's words for masks, rows, views and grants, reading them back.
Does not belong here: publishing to Snowflake (`stores/cloud_warehouse/`), who holds a role there.

    "for marketing"                                a database role, and a schema that it may use
    "for marketing"."crm.people.care"              what one agreement shows: its columns, masking policies
                                                   on them, classification as tags; SELECT to the role
    "mesh access"."crm.people.1f2e…"               below it: the product's view, behind the rows' policy
    "mesh access"."rows.9c0d…"                     a row access policy: the rows, and from when to when
    "mesh access"."show-first-4.77aa…"             a masking policy, one a mask and type

Why a view an agreement (docs/decisions/16): the product's own view is replaced at each publication, and
policies that hang on it would lapse with it; one consumer may read for several purposes; a column that
is not granted is not there to be selected; and a row access policy and a masking policy may not share a
column of one view. What is below an agreement's view is called by a digest of what it says and never
changed, so that one statement, which replaces the view, moves a reader from the old terms to the new.
"""
