/// Makes members come and go until the group is as it should be: read first, send what is missing, look when the
/// server's answer may mean "already so", send the rest. Repeating it changes nothing.
///
/// 1. Values once each; what is to come and to go is left alone (`MembershipPlan`).
/// 2. What is already so is left out: the server is asked.
/// 3. Chunks of 500 values and 1 MiB, adds before deletes. A chunk is all or nothing.
/// 4. A chunk that is refused with a code that may mean "already so" is compared value by value, and what is still
///    needed is sent again; three rounds, then one value at a time, so that one bad member does not hold up the others.
/// 5. A code that means something else is a refusal, at once.
package struct MembershipWriter: Sendable {
    package enum LastMember: Sendable, Hashable {
        case fail
        /// Takes the place of the last member, and goes when another comes.
        case placeholder(String)
        case deleteGroup
    }

    package struct Settings: Sendable {
        package var attribute = "member"
        package var comparison = MembershipPlan.Comparison.names
        package var chunkMost = 500
        package var chunkBytes = 1 << 20
        package var lastMember = LastMember.fail
        /// Asks for permissive modify where the server honours it.
        package var isPermissive = true
        /// Holds on to what was read where the server can (RFC 4528).
        package var asserts = true
        /// Leaves out what is already so before anything is sent. Off: saves the look where one knows that all is new;
        /// the outcome is the same.
        package var looksFirst = true

        package init() {}
    }

    package struct Outcome: Sendable, Equatable {
        package var added = 0
        package var deleted = 0
        package var already = 0
        package var refused: [Refusal] = []
        /// Modifies that were sent.
        package var requests = 0
        package var isGroupDeleted = false
    }

    /// One value that the server does not take.
    package struct Refusal: Sendable, Equatable {
        package var value: String
        package var code: ResultCode
        package var text: String
    }

    static let rounds = 3

    let pool: DirectoryPool
    let settings: Settings

    package init(_ pool: DirectoryPool, _ settings: Settings = Settings()) {
        self.pool = pool
        self.settings = settings
    }

    /// - Throws: when nothing more can be said of the group as a whole; values that alone are refused stand in the
    ///   outcome.
    package func converge(
        _ group: String, adds: [String], deletes: [String]
    ) async throws(DirectoryWriteProblem) -> Outcome {
        let result: Result<Outcome, DirectoryWriteProblem>
        do throws(DirectoryFailure) {
            result = try await pool.turns.run(DistinguishedName.key(of: group)) {
                () async throws(DirectoryFailure) -> Result<Outcome, DirectoryWriteProblem> in
                do throws(DirectoryWriteProblem) {
                    return .success(try await convergeInTurn(group, adds, deletes))
                } catch {
                    return .failure(error)
                }
            }
        } catch {
            throw .failure(error, isUncertain: false)
        }
        return try result.get()
    }

    private func convergeInTurn(
        _ group: String, _ adds: [String], _ deletes: [String]
    ) async throws(DirectoryWriteProblem) -> Outcome {
        var plan = MembershipPlan(adds: adds, deletes: deletes, by: settings.comparison)
        guard !plan.isEmpty else { return Outcome(already: plan.doubled) }
        let root: RootEntry
        do throws(DirectoryFailure) {
            root = try await pool.root()
        } catch {
            throw .failure(error, isUncertain: false)
        }
        let look = GroupLook(
            pool: pool, root: root, group: group, attribute: settings.attribute, comparison: settings.comparison)
        guard let state = try await look.state() else { return try await absent(group, plan) }
        var run = MembershipRun(writer: self, look: look, state: state)
        let wanted = plan.pending
        if settings.looksFirst { plan.leave(try await look.needed(wanted, state, isStrict: false)) }
        run.outcome.already = plan.doubled + wanted.count - plan.pending.count
        try await run.makeRoomForMembers(&plan)
        try await run.carryOut(plan)
        return run.outcome
    }

    /// There is no such group: nobody can come in; whoever is to go is gone, if the place where it should be is there.
    private func absent(_ group: String, _ plan: MembershipPlan) async throws(DirectoryWriteProblem) -> Outcome {
        guard plan.pending.allSatisfy({ $0.action == .delete }) else {
            throw .refused(.noSuchObject, text: "\(group) is not there")
        }
        guard let parent = (try? DistinguishedName(group))?.parent,
            try await pool.entry(parent.description, ["1.1"]) != nil
        else { throw .refused(.noSuchObject, text: "neither \(group) nor what it should be in is there") }
        return Outcome(already: plan.pending.count + plan.doubled)
    }
}
