SET standard_conforming_strings = off; SET escape_string_warning = off;
SELECT 'a\tb', 'it\'s';
SET standard_conforming_strings = on; SELECT 'a\tb';
