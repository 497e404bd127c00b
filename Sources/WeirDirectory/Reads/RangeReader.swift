/// Completes attributes that AD gives in ranges: `member;range=0-1499` and an empty `member` are asked on until the
/// range ends with `*` (MS-ADTS 3.1.1.3.1.3.3).
struct RangeReader {
    let connection: DirectoryConnection

    /// The page as it is where it has no ranges, which nearly always is so.
    func complete(_ page: EntryPage) async throws(DirectoryScanProblem) -> EntryPage {
        guard (0..<page.count).contains(where: { hasRange(page[$0]) }) else { return page }
        var whole = EntryPage()
        for place in 0..<page.count {
            let entry = page[place]
            if hasRange(entry) {
                try await append(completed: entry, to: &whole)
            } else {
                whole.append(entry)
            }
        }
        return whole
    }

    private func hasRange(_ entry: EntryPage.Entry) -> Bool {
        (0..<entry.attributeCount).contains { Range(entry.attribute($0).name) != nil }
    }

    private func append(completed entry: EntryPage.Entry, to page: inout EntryPage) async throws(DirectoryScanProblem) {
        entry.nameBytes.withUnsafeBytes { page.beginEntry($0) }
        for place in 0..<entry.attributeCount {
            let attribute = entry.attribute(place)
            guard let first = Range(attribute.name) else {
                if attribute.count > 0 { page.append(attribute) }
                continue
            }
            Array(first.attribute.utf8).withUnsafeBytes { page.beginAttribute($0) }
            page.appendValues(attribute)
            var range = first
            while let next = range.next {
                range = try await read(entry.name, "\(first.attribute);range=\(next)-*", into: &page)
                guard range.first == next else {
                    throw .answered(.protocolError, text: "\(entry.name): a range that was not asked for")
                }
            }
        }
    }

    private func read(_ name: String, _ wanted: String, into page: inout EntryPage)
        async throws(DirectoryScanProblem) -> Range
    {
        let answer: DirectoryAnswer
        do throws(DirectoryFailure) {
            answer = try await connection.send(.search(.init(base: name, attributes: [wanted])))
        } catch {
            throw .failure(error)
        }
        if let problem = answer.scanProblem { throw problem }
        guard let entry = answer.page.first,
            let (attribute, range) = (0..<entry.attributeCount).lazy.compactMap({
                place -> (EntryPage.Attribute, Range)? in
                let attribute = entry.attribute(place)
                return Range(attribute.name).map { (attribute, $0) }
            }).first
        else { throw .answered(.noSuchAttribute, text: "\(name): \(wanted) was not given") }
        page.appendValues(attribute)
        return range
    }

    /// `member;range=0-1499`, `member;range=1500-*`.
    struct Range: Equatable {
        var attribute: String
        var first: Int
        /// Nil: until the end.
        var last: Int?

        init?(_ name: String) {
            let options = name.split(separator: ";", omittingEmptySubsequences: false)
            guard options.count >= 2, let place = options.firstIndex(where: { $0.lowercased().hasPrefix("range=") })
            else { return nil }
            let bounds = options[place].dropFirst(6).split(separator: "-", omittingEmptySubsequences: false)
            guard bounds.count == 2, let first = Int(bounds[0]) else { return nil }
            if bounds[1] != "*" {
                guard let last = Int(bounds[1]), last >= first else { return nil }
                self.last = last
            }
            self.first = first
            attribute = options.enumerated().filter { $0.offset != place }.map { String($0.element) }
                .joined(separator: ";")
        }

        /// Where the next range begins.
        var next: Int? { last.map { $0 + 1 } }
    }
}
