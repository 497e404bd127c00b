package import WeirSettings

/// How a CSV is written.
package struct CSVSettings: Settings, Hashable {
    package var delimiter = ","
    package var quote = "\""
    package var comment = "#"
    package var columns: [String] = []

    package init() {}

    package static let fields: [Field<Self>] = [
        field(
            "delimiter", \.delimiter, check: { $0.utf8.count == 1 ? nil : "must be one character of ASCII" },
            examples: ["\";\"", "\"\\t\""], "What stands between fields."),
        field(
            "quote", \.quote, check: { $0.utf8.count <= 1 ? nil : "must be one character of ASCII, or nothing" },
            "What stands round a field that holds delimiters or line ends; doubled within it. Empty for none."),
        field(
            "comment", \.comment, check: { $0.utf8.count <= 1 ? nil : "must be one character of ASCII, or nothing" },
            "Lines that begin with it are passed over; empty for none."),
        field("columns", \.columns, "Names of the columns; the first record has them else."),
    ]

    package func mistakes() -> [SettingMistake] {
        delimiter == quote || delimiter == comment || (quote == comment && !quote.isEmpty)
            ? [SettingMistake("delimiter", "`delimiter`, `quote` and `comment` must differ", help: "change one")] : []
    }

    var dialect: CSVReader.Dialect {
        CSVReader.Dialect(
            delimiter: delimiter.utf8.first ?? UInt8(ascii: ","), quote: quote.utf8.first, comment: comment.utf8.first,
            columns: columns)
    }
}
