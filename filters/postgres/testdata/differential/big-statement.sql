SELECT 'SELECT length(''' || repeat('q', 200000) || ''')' AS stmt \gset
:stmt;
