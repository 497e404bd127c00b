import WeirGates

/// Which page comes next. A value: takes what is known of a page, gives the next address, and makes pages end.
struct FeedPages {
    /// What was seen of a page.
    struct Page {
        var items: Int
        /// The `Link` header lines.
        var links: [String] = []
        /// Values of the answer: cursors.
        var notes: [String: String] = [:]
    }

    private let settings: PaginationSettings?
    private let isTAXII: Bool
    private let first: FeedAddress
    private var seen: Set<FeedAddress> = []
    private(set) var count = 0
    private var offset = 0
    private(set) var address: FeedAddress

    private static let taxiiPagesMost = 100_000

    init(_ settings: PaginationSettings?, isTAXII: Bool, first: FeedAddress) {
        self.settings = settings
        self.isTAXII = isTAXII
        var first = first
        if let settings {
            if !settings.sizeParameter.isEmpty { first.set(settings.sizeParameter, String(settings.size)) }
            offset = settings.start ?? (settings.type == .page ? 1 : 0)
            if settings.type == .page || settings.type == .offset {
                first.set(Self.parameter(settings), String(offset))
            }
        }
        self.first = first
        address = first
    }

    private static func parameter(_ settings: PaginationSettings) -> String {
        settings.parameter.isEmpty ? settings.type.rawValue : settings.parameter
    }

    /// Moves `address` on.
    /// - Returns: false when that was the last page.
    mutating func advance(after page: Page) throws(RunFailure) -> Bool {
        count += 1
        seen.insert(address)
        guard let next = try next(after: page) else { return false }
        let most = isTAXII ? Self.taxiiPagesMost : settings?.pagesMost ?? 1
        guard count < most else {
            throw RunFailure(
                "pagination_endless", "There are more than \(most) pages (`pages_most`) of \(first.name).")
        }
        guard !seen.contains(next) else {
            throw RunFailure(
                "pagination_endless",
                "Page \(count) of \(first.name) names a page as the next one that was there before.")
        }
        guard first.hasSameOrigin(as: next) else {
            throw RunFailure(
                "pagination_elsewhere",
                "Page \(count) of \(first.name) names a page of another server as the next one, \(next.name). It is "
                    + "not followed, because it would be given our credentials.")
        }
        address = next
        return true
    }

    private mutating func next(after page: Page) throws(RunFailure) -> FeedAddress? {
        if isTAXII {
            guard page.notes["more"] == "true", let next = page.notes["next"] else { return nil }
            return first.setting("next", next)
        }
        guard let settings else { return nil }
        switch settings.type {
        case .linkHeader:
            guard let link = page.links.lazy.compactMap({ LinkHeader.next($0) }).first else { return nil }
            return try address(link)
        case .cursor:
            guard let cursor = page.notes[settings.next], !cursor.isEmpty else { return nil }
            let isAddress = cursor.hasPrefix("http://") || cursor.hasPrefix("https://") || cursor.hasPrefix("/")
            return isAddress ? try address(cursor) : first.setting(Self.parameter(settings), cursor)
        case .page:
            if page.items == 0 { return nil }
            offset += 1
            return first.setting(Self.parameter(settings), String(offset))
        case .offset:
            if page.items == 0 { return nil }
            offset += page.items
            return first.setting(Self.parameter(settings), String(offset))
        }
    }

    private func address(_ link: String) throws(RunFailure) -> FeedAddress {
        guard let next = address.following(link) else {
            throw RunFailure("pagination_invalid", "Page \(count) names `\(link.clipped)` as the next one: no URL.")
        }
        return next
    }
}

extension FeedAddress {
    func setting(_ name: String, _ value: String) -> FeedAddress {
        var copy = self
        copy.set(name, value)
        return copy
    }
}

/// The `Link` header (RFC 8288): `<https://…>; rel="next", <…>; rel="last"`.
enum LinkHeader {
    /// Without the semicolons that stand in quotes, so that those that are left separate parameters.
    private static func unquoted(_ text: Substring) -> String {
        var isQuoted = false
        return String(
            text.map { character in
                if character == "\"" { isQuoted.toggle() }
                return isQuoted && character == ";" ? "," : character
            })
    }

    /// The target of the link whose relation is `next`.
    static func next(_ header: String) -> String? {
        var rest = header[...]
        while let open = rest.firstIndex(of: "<"), let close = rest[open...].firstIndex(of: ">") {
            let target = rest[rest.index(after: open)..<close]
            rest = rest[rest.index(after: close)...]
            // Parameters go on to the comma before the next link; commas in quotes belong to them.
            var isQuoted = false
            let end = rest.firstIndex { character in
                if character == "\"" { isQuoted.toggle() }
                return character == "," && !isQuoted
            }
            let parameters = rest[..<(end ?? rest.endIndex)]
            rest = rest[(end ?? rest.endIndex)...]
            for parameter in unquoted(parameters).split(separator: ";") {
                let halves = parameter.split(separator: "=", maxSplits: 1).map { $0.filter { $0 != " " && $0 != "\"" } }
                let isNext = halves.count == 2 && halves[0].lowercased() == "rel"
                // A link can have several relations.
                if isNext, parameter.lowercased().split(whereSeparator: { " \"=".contains($0) }).contains("next") {
                    return String(target)
                }
            }
        }
        return nil
    }
}
