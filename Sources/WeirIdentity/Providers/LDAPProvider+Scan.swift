import WeirDirectory

extension LDAPProvider {
    package func scan(
        _ request: ScanRequest, take: (RecordBatch) async throws -> Void
    ) async throws(ScanFailure) -> ScanEnd {
        let layout = try layout(of: request.kind)
        let root: RootEntry
        do throws(DirectoryFailure) {
            // Anew: the change number before the scan is the mark after it.
            root = try await pool.freshRoot()
        } catch {
            throw ScanFailure(code: error.code, text: "\(error)", isPassing: error.isPassing)
        }
        // A mark of another server says nothing here: then all are read, which a delta may.
        let since = request.since.flatMap { DirectoryMark($0) }.flatMap { $0.filter(root) }
        var maker = LDAPRecordMaker(layout, root)
        var end = ScanEnd()
        let search = DirectorySearch(
            base: layout.base, scope: .subtree,
            filter: .all([DirectoryFilter(written: layout.filter)] + (since.map { [$0] } ?? [])),
            attributes: wanted(layout, root))
        try await each(search) { (page) async throws(ScanFailure) in
            var batch = RecordBatch()
            batch.reserve(page.byteCount + page.byteCount / 4)
            for place in 0..<page.count {
                guard let reason = maker.append(page[place], to: &batch) else { continue }
                if end.refused.count < 1_000 { end.refused.append(.init(place: page[place].name, reason: reason)) }
            }
            if !batch.isEmpty { try await hand(over: batch, take) }
        }
        if since != nil, root.kind == .activeDirectory { end.gone = try await deleted(layout, root, since) }
        end.mark = mark(after: maker, root, request.since)
        return end
    }

    private func mark(after maker: LDAPRecordMaker, _ root: RootEntry, _ before: String?) -> String? {
        if root.kind == .activeDirectory {
            return root.highestChange.map { DirectoryMark.change($0, server: root.server ?? "").description }
        }
        let newest = DirectoryMark.time(String(decoding: maker.newest, as: UTF8.self)).description
        return maker.newest.isEmpty ? before : max(newest, before ?? "")
    }

    /// AD: what was deleted since, by objectGUID. The account may see none of it; then only a full scan finds out.
    private func deleted(
        _ layout: Layout, _ root: RootEntry, _ since: DirectoryFilter?
    ) async throws(ScanFailure) -> [String] {
        guard let domain = root.defaultContext, let since else { return [] }
        var gone: [String] = []
        let search = DirectorySearch(
            base: domain, scope: .subtree, filter: .all([.equal("isDeleted", "TRUE"), since]),
            attributes: ["objectGUID"])
        try await each(search, [.showDeleted]) { (page) async throws(ScanFailure) in
            for place in 0..<page.count {
                if let anchor = EntryAnchor.text(of: page[place], root) { gone.append(anchor) }
            }
        }
        return gone
    }

    private func each(
        _ search: DirectorySearch, _ controls: [DirectoryControl] = [],
        _ take: (EntryPage) async throws(ScanFailure) -> Void
    ) async throws(ScanFailure) {
        let taken: Result<Void, ScanFailure>
        do throws(DirectoryScanProblem) {
            taken = try await pool.scan(search, pageSize: pageSize, controls: controls, take: take)
        } catch {
            throw ScanFailure(
                code: error.code, text: "\(pool.settings.address): \(error.text)", isPassing: error.isPassing)
        }
        try taken.get()
    }
}
