import WeirExpressions
package import WeirGates
package import WeirSettings

/// `type: http`: fetches from a URL.
package struct HTTPConnectorSettings: Settings {
    package enum Method: String, SettingChoice, Sendable {
        case get = "GET"
        case post = "POST"
        package var help: String { self == .get ? "" : "With `body`." }
    }

    package enum Format: String, SettingChoice, Sendable {
        case json, ndjson, csv, rss, stix, taxii

        package var help: String {
            switch self {
            case .json: "One document; `items` says where in it the events are."
            case .ndjson: "A JSON object a line."
            case .csv: "Each record becomes an object of texts."
            case .rss: "RSS or Atom; each item becomes an object."
            case .stix: "A STIX bundle; each object is an event."
            case .taxii: "TAXII 2.1: `url` is the objects of a collection; pages and `added_after` are followed."
            }
        }
    }

    package var url = ""
    package var method = Method.get
    package var headers: [String: String] = [:]
    package var auth: ConnectorAuthSettings?
    package var query: [String: ExpressionText] = [:]
    package var body = ""
    package var format = Format.json
    package var items = ""
    package var csv: CSVSettings?
    package var pagination: PaginationSettings?
    package var only: ExpressionText = ""
    package var state: ExpressionText = ""
    package var conditional = true
    package var requestTimeout = Duration.seconds(60)
    package var timeout = Duration.hours(1)
    package var sizeMost = ByteCount.gigabytes(1)
    package var itemMost = ByteCount.mebibytes(16)

    package init() {}

    package static let fields: [Field<Self>] = [
        field(
            "url", \.url, required: true, check: { FeedAddress.complaint($0) },
            examples: ["http://10.0.0.5/feed.json", "file:kev.json"],
            "Where to fetch: `http://`, `https://`, or `file:` and a path for trials."),
        field("method", \.method, "The method of the request."),
        field("headers", \.headers, examples: ["{ Accept: application/json }"], "Headers of the request."),
        field("auth", \.auth, "Who we are."),
        field(
            "query", \.query, examples: ["{ since: \"has(state.since) ? state.since : '2020-01-01'\" }"],
            "Parameters of the URL, each an expression over `state` (what `state:` made in the last good run; empty at "
                + "first) and `now`."),
        field("body", \.body, "The body of a POST, sent as JSON."),
        field("format", \.format, "What the answer is."),
        field(
            "items", \.items, examples: ["vulnerabilities", "data.results"],
            "For `json`: the keys that lead to the events, with dots. Of an array there, each object is an event. "
                + "Empty takes the document itself."),
        field("csv", \.csv, "How the CSV is written."),
        field("pagination", \.pagination, "How to get the next page; only the first one is fetched else."),
        field(
            "only", \.only, examples: ["event.dateAdded > state.since"],
            "Takes only the events for which this expression over `event` and `state` is true."),
        field(
            "state", \.state, examples: ["{ 'since': event.dateAdded }"],
            "What is remembered for the next run: evaluated for each event taken, over `event` and the `state` so far. "
                + "Kept when the run ends well."),
        field(
            "conditional", \.conditional,
            "Sends `If-None-Match` and `If-Modified-Since` with what the last answer said; a 304 is a good run with "
                + "nothing new. For files, the time of change is compared."),
        field(
            "request_timeout", \.requestTimeout, range: .seconds(1)...(.hours(1)),
            "How long to wait for the beginning of an answer."),
        field(
            "timeout", \.timeout, range: .seconds(1)...(.hours(24 * 7)),
            "A run that takes longer is stopped and has failed. Time spent waiting at the gate counts."),
        field("size_most", \.sizeMost, range: .kibibytes(1)..., "The most bytes of all pages of a run; more fails it."),
        field(
            "item_most", \.itemMost, range: .kibibytes(1)...(.mebibytes(16)),
            "The largest event; a larger one fails the run."),
    ]

    package func mistakes() -> [SettingMistake] {
        var mistakes: [SettingMistake] = []
        if !body.isEmpty && method != .post {
            mistakes.append(SettingMistake("body", "a GET has no `body`", help: "write `method: POST`"))
        }
        if !items.isEmpty && format != .json {
            mistakes.append(SettingMistake("items", "`items` is for `format: json`", help: "take it out"))
        }
        if csv != nil && format != .csv {
            mistakes.append(SettingMistake("csv", "`csv` is for `format: csv`", help: "take it out"))
        }
        if let pagination {
            if url.hasPrefix("file:") {
                mistakes.append(SettingMistake("pagination", "a file has no pages", help: "take it out"))
            } else if format == .taxii {
                mistakes.append(SettingMistake("pagination", "TAXII has its own pages", help: "take it out"))
            } else if pagination.type == .cursor && format != .json {
                mistakes.append(
                    SettingMistake("pagination", "a cursor is read from `format: json`", help: "take another type"))
            }
        }
        for (key, text) in [("only", only), ("state", state)] where !text.isEmpty {
            if let problem = FeedExpressions.problem(text) {
                mistakes.append(SettingMistake(key, problem, help: "an expression of CEL over `event` and `state`"))
            }
        }
        for (name, text) in query.sorted(by: { $0.key < $1.key }) {
            if let problem = FeedExpressions.problem(text) {
                mistakes.append(
                    SettingMistake("query.\(name)", problem, help: "an expression of CEL over `state` and `now`"))
            }
        }
        let lines = (Array(headers.keys) + Array(headers.values) + (auth?.secrets ?? []) + [auth?.header?.name ?? ""])
        if lines.contains(where: { $0.utf8.contains { $0 < 0x20 || $0 == 0x7F } }) {
            mistakes.append(
                SettingMistake(
                    "headers", "a header holds a control character, perhaps a line feed", help: "take it out"))
        }
        return mistakes
    }
}

/// Who a connector is to the server.
package struct ConnectorAuthSettings: Settings, Hashable {
    package struct Basic: Settings, Hashable {
        package var user = ""
        package var password = Secret()
        package init() {}
        package static let fields: [Field<Self>] = [
            field("user", \.user, required: true, check: { $0.contains(":") ? "must not hold a colon" : nil }, "Name."),
            field("password", \.password, "Password."),
        ]
    }

    package struct Header: Settings, Hashable {
        package var name = ""
        package var value = Secret()
        package init() {}
        package static let fields: [Field<Self>] = [
            field("name", \.name, required: true, examples: ["X-API-Key"], "Name of the header."),
            field("value", \.value, "Its value."),
        ]
    }

    package var basic: Basic?
    package var bearer: Secret?
    package var header: Header?

    package init() {}

    package static let fields: [Field<Self>] = [
        field("basic", \.basic, "User and password (RFC 7617)."),
        field("bearer", \.bearer, "A token (RFC 6750)."),
        field("header", \.header, "A header with a secret, for keys of an API."),
    ]

    package func mistakes() -> [SettingMistake] {
        basic != nil && bearer != nil
            ? [SettingMistake("bearer", "`basic` and `bearer` exclude each other", help: "keep one")] : []
    }

    var secrets: [String] {
        [basic?.password.text, bearer?.text, header?.value.text].compactMap { $0 }.filter { !$0.isEmpty }
    }
}

/// How a CSV is written.
package struct CSVSettings: Settings, Hashable {
    package var delimiter = ","
    package var comment = "#"
    package var columns: [String] = []

    package init() {}

    package static let fields: [Field<Self>] = [
        field(
            "delimiter", \.delimiter, check: { $0.utf8.count == 1 && $0 != "\"" ? nil : "must be one character" },
            examples: ["\";\"", "\"\\t\""], "What stands between fields."),
        field(
            "comment", \.comment, check: { $0.utf8.count <= 1 ? nil : "must be one character, or nothing" },
            "Lines that begin with it are passed over; empty for none."),
        field("columns", \.columns, "Names of the columns; the first record has them else."),
    ]

    var dialect: CSVReader.Dialect {
        CSVReader.Dialect(
            delimiter: delimiter.utf8.first ?? UInt8(ascii: ","), comment: comment.utf8.first, columns: columns)
    }
}

/// How the next page is found.
package struct PaginationSettings: Settings, Hashable {
    package enum Kind: String, SettingChoice, Sendable {
        case linkHeader = "link_header"
        case cursor, page, offset

        package var help: String {
            switch self {
            case .linkHeader: "The answer's `Link` header with `rel=\"next\"` (RFC 8288)."
            case .cursor: "A value in the answer, at `next`: the parameter's value, or a URL."
            case .page: "The parameter counts pages, until one is empty."
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
