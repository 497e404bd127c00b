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
        /// Tells its events from those of another page.
        var mark = 0
        /// TAXII: the newest date of its objects.
        var newest: String?
        /// Who answered, after redirects.
        var answeredBy: FeedAddress
    }

    private let settings: PaginationSettings?
    private let isTAXII: Bool
    private var markBefore: Int?
    private var marks: Set<Int> = []
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

    /// Whether pages are counted by us, so that only their events tell one from another.
    private var isCounted: Bool { settings?.type == .page || settings?.type == .offset }

    /// Whether a page that does not exist is the end.
    var mayBeMissing: Bool { settings?.type == .page && count > 0 }

    /// Moves `address` on.
    /// - Returns: false when that was the last page.
    mutating func advance(after page: Page) throws(RunFailure) -> Bool {
        count += 1
        seen.insert(address)
        let isRepeated = page.items == 0 || marks.contains(page.mark)
        defer {
            markBefore = page.items > 0 ? page.mark : nil
            marks.insert(page.mark)
        }
        guard let next = try next(after: page) else { return false }
        let most = isTAXII ? Self.taxiiPagesMost : settings?.pagesMost ?? 1
        guard count < most else {
            throw RunFailure(
                "pagination_endless",
                "There are more than \(most) pages of \(first.name) (`pagination.pages_most`). Raise it, if that is so."
            )
        }
        // Some servers count in a session of theirs and give the same cursor again and again: then events tell.
        if seen.contains(next), isRepeated {
            throw RunFailure(
                "pagination_endless",
                "Page \(count) of \(first.name) brings nothing that was not there before, and names a page as the next "
                    + "one that was there too.")
        }
        if isCounted, page.mark == markBefore {
            throw RunFailure(
                "pagination_endless",
                "Page \(count) of \(first.name) has the same events as the one before: the server seems to ignore "
                    + "`\(settings.map(Self.parameter) ?? "")` (`pagination.parameter`).")
        }
        guard next.hasSameOrigin(as: first) || next.hasSameOrigin(as: page.answeredBy) else {
            throw RunFailure(
                "pagination_elsewhere",
                "Page \(count) of \(first.name) names a page of another server as the next one, \(next.name). It is "
                    + "not followed, because nobody here has named that server.")
        }
        address = next
        return true
    }

    private mutating func next(after page: Page) throws(RunFailure) -> FeedAddress? {
        if isTAXII {
            guard page.notes["more"] == "true" else { return nil }
            if let next = page.notes["next"] { return first.setting("next", next) }
            // A server that gives no `next` wants to be asked for what came after.
            return page.newest.map { first.setting("added_after", $0) }
        }
        guard let settings else { return nil }
        switch settings.type {
        case .linkHeader:
            guard let link = page.links.lazy.compactMap({ LinkHeader.next($0) }).first else { return nil }
            return try address(link, page)
        case .cursor:
            guard let cursor = page.notes[settings.next], !cursor.isEmpty else { return nil }
            let isAddress = cursor.hasPrefix("http://") || cursor.hasPrefix("https://") || cursor.hasPrefix("/")
            return isAddress ? try address(cursor, page) : first.setting(Self.parameter(settings), cursor)
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

    private func address(_ link: String, _ page: Page) throws(RunFailure) -> FeedAddress {
        guard let next = page.answeredBy.following(link) else {
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
