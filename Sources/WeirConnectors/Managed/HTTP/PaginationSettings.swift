package import WeirSettings

/// How the next page is found.
package struct PaginationSettings: Settings, Hashable {
    package enum Kind: String, SettingChoice, Sendable {
        case linkHeader = "link_header"
        case cursor, page, offset

        package var help: String {
            switch self {
            case .linkHeader: "The answer's `Link` header with `rel=\"next\"` (RFC 8288)."
            case .cursor: "A value in the answer, at `next`: the parameter's value, or a URL."
            case .page: "The parameter counts pages, until one is empty or, after the first, not found (404)."
            case .offset: "The parameter counts events, until a page is empty."
            }
        }
    }

    package var type = Kind.linkHeader
    package var next = ""
    package var parameter = ""
    package var start: Int?
    package var sizeParameter = ""
    package var size = 100
    package var pagesMost = 1_000

    package init() {}

    package static let fields: [Field<Self>] = [
        field("type", \.type, required: true, "Where the next page is said."),
        field("next", \.next, examples: ["meta.next"], "For `cursor`: the keys that lead to it in the answer."),
        field(
            "parameter", \.parameter,
            "The parameter of the URL: `cursor`, `page` or `offset` unless another name is given."),
        field("start", \.start, "The first page's number: 1 for `page`, 0 for `offset` unless another is given."),
        field(
            "size_parameter", \.sizeParameter, examples: ["limit"], "A parameter that asks for `size` events a page."),
        field("size", \.size, range: 1...100_000, "Events a page, where `size_parameter` is set."),
        field(
            "pages_most", \.pagesMost, range: 1...1_000_000,
            "A run that comes to more pages has failed: pagination that does not end."),
    ]

    package func mistakes() -> [SettingMistake] {
        switch type {
        case .cursor where next.isEmpty:
            [
                SettingMistake(
                    "next", "a cursor needs `next`", help: "write the keys that lead to it, such as `meta.next`")
            ]
        case .linkHeader, .page, .offset:
            next.isEmpty ? [] : [SettingMistake("next", "`next` is for `type: cursor`", help: "take it out")]
        case .cursor: []
        }
    }
}
