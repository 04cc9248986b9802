SELECT '日本語', missing_column FROM pg_class;
CREATE TABLE "tábla" (a int);
SELECT b FROM "tábla";
