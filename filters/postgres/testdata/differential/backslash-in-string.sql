SELECT '\', E'\\', E'\'', '\\n';
