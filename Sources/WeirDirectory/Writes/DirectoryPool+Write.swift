import WeirWorld

extension DirectoryPool {
    /// What came of sending one write, tried again as long as the server was busy or the connection went.
    ///
    /// After a lost connection nobody knows whether the write was carried out: it is sent again, which is safe because
    /// every write here may be repeated, and a code that then says "already so" is looked into like any other.
    func write(
        _ request: DirectoryRequest, _ controls: [DirectoryControl] = []
    ) async throws(DirectoryWriteProblem) -> DirectoryAnswer {
        var isUncertain = false
        do throws(DirectoryFailure) {
            return try await retrying { () async throws(DirectoryFailure) in
                do throws(DirectoryFailure) {
                    return try await self.once(request, controls: controls)
                } catch {
                    switch error {
                    case .lost, .timedOut, .cancelled: isUncertain = true
                    default: break
                    }
                    throw error
                }
            }
        } catch {
            throw .failure(error, isUncertain: isUncertain)
        }
    }

    /// A read that belongs to a write: a failure leaves certain what was certain.
    func look(_ search: DirectorySearch, controls: [DirectoryControl] = []) async throws(DirectoryWriteProblem)
        -> DirectoryAnswer
    {
        do throws(DirectoryFailure) {
            return try await send(.search(search), controls: controls)
        } catch {
            throw .failure(error, isUncertain: false)
        }
    }

    /// The entry with some attributes, or nil where there is certainly none.
    /// - Throws: `refused` when the server answers anything but an entry or "no such entry".
    func entry(_ name: String, _ attributes: [String]) async throws(DirectoryWriteProblem) -> EntryPage.Entry? {
        let answer = try await look(.init(base: name, attributes: attributes))
        if answer.code == .noSuchObject { return nil }
        guard answer.scanProblem == nil else { throw .refused(answer.code, text: answer.diagnostic) }
        // A base search that succeeds without its entry: we may not see it.
        guard let entry = answer.page.first else {
            throw .refused(.insufficientAccessRights, text: "\(name) may not be read")
        }
        return entry
    }

    /// Whether an entry has a value, by the server's own rules of comparison: a base search with the value as filter.
    /// Costs the same for a group of 50,000 members as for one of five.
    /// - Returns: nil when there is no such entry.
    func holds(_ name: String, _ attribute: String, _ value: String) async throws(DirectoryWriteProblem) -> Bool? {
        let answer = try await look(.init(base: name, filter: .equal(attribute, value), attributes: ["1.1"]))
        if answer.code == .noSuchObject { return nil }
        guard answer.scanProblem == nil else { throw .refused(answer.code, text: answer.diagnostic) }
        return !answer.page.isEmpty
    }
}
