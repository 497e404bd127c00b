import WeirWorld

/// Why a search did not come to its end. What came before it is not the whole, and nothing may be concluded from what
/// is missing.
package enum DirectoryScanProblem: Error, Sendable, Equatable {
    case failure(DirectoryFailure)
    /// The server ended the search: size limit, time limit, no access, a base that is not there.
    case answered(ResultCode, text: String)
    /// Part of what was asked for is elsewhere. Never followed: a referral would take our password to a server that
    /// somebody else named.
    case referral(to: [String])

    package var isPassing: Bool {
        switch self {
        case .failure(let failure): failure.isPassing
        case .answered(let code, _): code.isPassing && code != .timeLimitExceeded
        case .referral: false
        }
    }

    /// For machines.
    package var code: String {
        switch self {
        case .failure(let failure): failure.code
        case .answered(.sizeLimitExceeded, _), .answered(.adminLimitExceeded, _): "size_limit"
        case .answered(.timeLimitExceeded, _): "time_limit"
        case .answered(.noSuchObject, _): "no_such_base"
        case .answered(.insufficientAccessRights, _): "no_access"
        case .answered(let code, _): "ldap_\(code.number)"
        case .referral: "referral"
        }
    }

    package var text: String {
        switch self {
        case .failure(let failure): "\(failure)"
        case .answered(.sizeLimitExceeded, let words):
            "the server's size limit ended the search (\(words)): give the account of the scan a higher one, "
                + "or split the search"
        case .answered(_, let words): words
        case .referral(let servers):
            "part of it is on other servers (\(servers.prefix(3).joined(separator: ", "))): "
                + "name these as silos of their own"
        }
    }
}

extension DirectoryPool {
    /// Reads all entries that a search finds, page by page; the next page is asked for when `take` has returned. Values
    /// that AD gives in ranges are complete.
    ///
    /// A search that breaks off is not taken up again, because the cookie went with its connection: it fails, unless
    /// nothing was handed over yet.
    /// - Parameter pageSize: entries; AD gives 1,000 at most.
    package func scan<TakeError: Error>(
        _ search: DirectorySearch, pageSize: Int, controls: [DirectoryControl] = [],
        take: (EntryPage) async throws(TakeError) -> Void
    ) async throws(DirectoryScanProblem) -> Result<Void, TakeError> {
        var attempt = 1
        while true {
            var isBegun = false
            do throws(DirectoryScanProblem) {
                return try await scanOnce(search, pageSize, controls) { (page) async throws(TakeError) in
                    isBegun = true
                    try await take(page)
                }
            } catch {
                guard error.isPassing, !isBegun, attempt < settings.attempts else { throw error }
            }
            try await rest(after: attempt)
            attempt += 1
        }
    }

    private func rest(after attempt: Int) async throws(DirectoryScanProblem) {
        counters.retried()
        let wait = min(settings.retryMost, settings.retryFirst * (1 << min(attempt, 20)))
        do {
            try await world.time.sleep(for: wait * (0.1 + 0.9 * world.random.fraction()))
        } catch {
            throw .failure(.cancelled)
        }
    }

    private func scanOnce<TakeError: Error>(
        _ search: DirectorySearch, _ pageSize: Int, _ controls: [DirectoryControl],
        take: (EntryPage) async throws(TakeError) -> Void
    ) async throws(DirectoryScanProblem) -> Result<Void, TakeError> {
        let lease: Lease
        do throws(DirectoryFailure) {
            lease = try await borrow()
        } catch {
            throw .failure(error)
        }
        defer { giveBack(lease) }
        var extra = controls
        // Without this AD ends every search at the root of a domain with references to its other partitions.
        if lease.root.kind == .activeDirectory { extra.append(.domainScope) }
        var cookie: [UInt8]? = []
        while let next = cookie {
            let paging = lease.root.pages ? [DirectoryControl.paged(size: pageSize, cookie: next)] : []
            let page = try await onePage(search, extra + paging, lease)
            cookie = page.cookie
            do throws(TakeError) {
                try await take(page.entries)
            } catch {
                return .failure(error)
            }
        }
        return .success(())
    }

    private func onePage(
        _ search: DirectorySearch, _ controls: [DirectoryControl], _ lease: Lease
    ) async throws(DirectoryScanProblem) -> (entries: EntryPage, cookie: [UInt8]?) {
        let begun = world.time.now
        let answer: DirectoryAnswer
        do throws(DirectoryFailure) {
            answer = try await lease.connection.send(.search(search), controls: controls)
        } catch {
            counters.failed("search", error.code)
            throw .failure(error)
        }
        counters.answered("search", answer.code, (world.time.now - begun).inSeconds)
        if let problem = answer.scanProblem { throw problem }
        return (try await RangeReader(connection: lease.connection).complete(answer.page), answer.cookie)
    }
}

extension DirectoryAnswer {
    /// Nil when everything that was searched for came.
    var scanProblem: DirectoryScanProblem? {
        if code == .referral || !referrals.isEmpty { return .referral(to: referrals) }
        return code == .success ? nil : .answered(code, text: sentence)
    }
}
