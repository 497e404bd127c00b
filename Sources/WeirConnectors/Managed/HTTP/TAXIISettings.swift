package import WeirSettings

/// What is taken from a TAXII 2.1 server.
package struct TAXIISettings: Settings, Hashable {
    package var collections: [String] = []
    package var pageSize: Int?

    package init() {}

    package static let fields: [Field<Self>] = [
        field(
            "collections", \.collections, examples: ["[ \"Enterprise ATT&CK\" ]"],
            "Which of the server's collections, by title, id or alias; all that may be read, else."),
        field(
            "page_size", \.pageSize, range: 1...100_000, "Objects a page (`limit`); what the server likes best, else."),
    ]
}
