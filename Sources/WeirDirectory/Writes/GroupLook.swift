import WeirWorld

/// What a group is now, as far as its writer must know.
struct GroupLook {
    let pool: DirectoryPool
    let root: RootEntry
    let group: String
    let attribute: String
    let comparison: MembershipPlan.Comparison

    struct State {
        /// What an assertion can hold on to.
        var version: String?
        /// AD: the number that members by `primaryGroupID` have.
        var primaryToken: String?
        var classes: [String]
    }

    /// Above so many values the whole group is read once instead of asking for each.
    static let askMost = 256

    /// Nil when there is no such group.
    func state() async throws(DirectoryWriteProblem) -> State? {
        var wanted = [root.versionAttribute, "objectClass"]
        if root.kind == .activeDirectory { wanted.append("primaryGroupToken") }
        guard let entry = try await pool.entry(group, wanted) else { return nil }
        return State(
            version: entry.text(root.versionAttribute), primaryToken: entry.text("primaryGroupToken"),
            classes: entry.texts("objectClass").map { $0.lowercased() })
    }

    /// Those that are not yet so.
    ///
    /// Of many values the group is read once and compared here. That comparison only says which values need not be
    /// asked about: what looks already so is asked of the server, whose rules of comparison count.
    /// - Parameter isStrict: a member of a primary group counts as one for adds, too.
    func needed(
        _ values: [MembershipPlan.Value], _ state: State, isStrict: Bool
    ) async throws(DirectoryWriteProblem) -> [MembershipPlan.Value] {
        var asked = Array(values.indices)
        if values.count > Self.askMost {
            let members = try await members()
            asked = asked.filter { members.contains(values[$0].key) == (values[$0].action == .add) }
        }
        let isSo = try await ask(asked.map { values[$0] }, state, isStrict)
        let done = Set(zip(asked, isSo).filter(\.1).map(\.0))
        return values.indices.filter { !done.contains($0) }.map { values[$0] }
    }

    /// The keys of all members.
    private func members() async throws(DirectoryWriteProblem) -> Set<String> {
        var keys: Set<String> = []
        let result: Result<Void, Never>
        do throws(DirectoryScanProblem) {
            result = try await pool.scan(
                .init(base: group, attributes: [attribute]), pageSize: 1
            ) { (page) async throws(Never) in
                guard let members = page.first?.attribute(self.attribute) else { return }
                for place in 0..<members.count { keys.insert(self.comparison.key(members.text(place))) }
            }
        } catch {
            if case .failure(let failure) = error { throw .failure(failure, isUncertain: false) }
            throw .conflict(code: error.code, text: error.text)
        }
        _ = result
        return keys
    }

    /// Asks for all, a window of them at a time.
    private func ask(
        _ values: [MembershipPlan.Value], _ state: State, _ isStrict: Bool
    ) async throws(DirectoryWriteProblem) -> [Bool] {
        var isSo = Array(repeating: false, count: values.count)
        let result: Result<Void, DirectoryWriteProblem> = await withTaskGroup(
            of: (Int, Result<Bool, DirectoryWriteProblem>).self
        ) { tasks in
            var next = 0
            var running = 0
            var problem: DirectoryWriteProblem?
            while next < values.count || running > 0 {
                while next < values.count, running < pool.settings.window, problem == nil {
                    let place = next
                    tasks.addTask { (place, await self.isSo(values[place], state, isStrict)) }
                    next += 1
                    running += 1
                }
                guard let (place, answer) = await tasks.next() else { break }
                running -= 1
                switch answer {
                case .success(let answer): isSo[place] = answer
                case .failure(let failure):
                    problem = problem ?? failure
                    next = values.count
                }
            }
            return problem.map { .failure($0) } ?? .success(())
        }
        try result.get()
        return isSo
    }

    @concurrent
    private func isSo(
        _ value: MembershipPlan.Value, _ state: State, _ isStrict: Bool
    ) async -> Result<Bool, DirectoryWriteProblem> {
        do throws(DirectoryWriteProblem) {
            let isListed = try await pool.holds(group, attribute, value.text) ?? false
            if isListed { return .success(value.action == .add) }
            // Members by `primaryGroupID` are in no list: one that is to go is still there.
            guard value.action == .delete || isStrict, let token = state.primaryToken else {
                return .success(value.action == .delete)
            }
            let isPrimary = try await pool.holds(value.text, "primaryGroupID", token) ?? false
            return .success(isPrimary == (value.action == .add))
        } catch {
            return .failure(error)
        }
    }
}
