;
SELECT;
SELECT WHERE false;
-- only a comment
/* block */
