SELECT xmlelement(name a, xmlattributes('v' AS b), 'c'), '<a><b>1</b></a>'::xml, xpath('/a/b/text()', '<a><b>1</b></a>');
SELECT '<a>'::xml;
