package import WeirCalls
import WeirExpressions
package import WeirGates
package import WeirSettings
import WeirWires

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
            case .taxii:
                "TAXII 2.1: `url` is the discovery address, an API root, a collection, or its objects. Pages and "
                    + "`added_after` are followed, so that each object comes once."
            }
        }
    }

    package var url = ""
    package var method = Method.get
    package var headers: [String: String] = [:]
    package var auth: FeedAuthSettings?
    package var tls: TLSSettings?
    package var query: [String: ExpressionText] = [:]
    package var body = ""
    package var format = Format.json
    package var items = ""
    package var charset = ""
    package var csv: CSVSettings?
    package var taxii: TAXIISettings?
    package var pagination: PaginationSettings?
    package var only: ExpressionText = ""
    package var state: ExpressionText = ""
    package var conditional: Bool?
    package var redirects = 5
    package var attempts = 3
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
        field(
            "auth", \.auth,
            "Who we are. Credentials and `headers` go to the server of `url` only, wherever it leads us."),
        field("tls", \.tls, "For `https://`: own authority, client certificate. Certificates are always verified."),
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
        field(
            "charset", \.charset,
            check: { $0.isEmpty || Charset(label: $0) != nil ? nil : "must be one of \(FeedText.charsets)" },
            examples: ["windows-1252"],
            "What the text is in, where the server says it wrongly or not at all. A byte order mark is right in any "
                + "case; else `Content-Type`, then an XML declaration, then UTF-8."),
        field("csv", \.csv, "How the CSV is written."),
        field("taxii", \.taxii, "What is taken from a TAXII server."),
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
                + "nothing new. For files, the time of change is compared. Unless set: on, but off with `pagination`, "
                + "where an unchanged first page says nothing about the others."),
        field(
            "redirects", \.redirects, range: 0...20,
            "How many redirects are followed, to other servers without our credentials, never from https to http."),
        field(
            "attempts", \.attempts, range: 1...10,
            "How often a request is made that gets no answer, 408, 425, 429 or 5xx, with growing pauses of up to a "
                + "minute; `Retry-After` is kept to. Then the run has failed, and is tried again by its schedule."),
        field(
            "request_timeout", \.requestTimeout, range: .seconds(1)...(.hours(1)),
            "How long to wait for the beginning of an answer, and for each next piece of it."),
        field(
            "timeout", \.timeout, range: .seconds(1)...(.hours(24 * 7)),
            "A run that takes longer is stopped and has failed. Time spent waiting at the gate counts."),
        field(
            "size_most", \.sizeMost, range: .kibibytes(1)...,
            "The most bytes of all pages of a run, unpacked; more fails it."),
        field(
            "item_most", \.itemMost, range: .kibibytes(1)...(.mebibytes(16)),
            "The largest event; a larger one fails the run."),
    ]

    /// Whether an unchanged answer ends the run.
    var isConditional: Bool { method == .get && (conditional ?? (pagination == nil && format != .taxii)) }

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
        if taxii != nil && format != .taxii {
            mistakes.append(SettingMistake("taxii", "`taxii` is for `format: taxii`", help: "take it out"))
        }
        if method == .post && format == .taxii {
            mistakes.append(SettingMistake("method", "objects of TAXII are got by GET", help: "take it out"))
        }
        if let pagination {
            if url.hasPrefix("file:") {
                mistakes.append(SettingMistake("pagination", "a file has no pages", help: "take it out"))
            } else if format == .taxii {
                mistakes.append(
                    SettingMistake("pagination", "TAXII has its own pages", help: "write `taxii: { page_size: … }`"))
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
        mistakes += headers.sorted { $0.key < $1.key }.compactMap { HeaderRules.mistake($0, $1, key: "headers") }
        if let tls {
            if !url.lowercased().hasPrefix("https://") {
                mistakes.append(
                    SettingMistake("tls", "`tls` is set, but `url` does not begin with `https://`", help: "change one"))
            }
            mistakes += [tls.serverNameMistake(key: "tls"), tls.fileMistake(key: "tls")].compactMap { $0 }
        }
        return mistakes
    }
}
