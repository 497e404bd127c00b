import CLdap

extension LDAPHandle {
    /// Sends a request, or as much of it as the socket takes.
    /// - Returns: the number that its answers will carry, or libldap's code; `LDAP_SERVER_DOWN` means that the handle
    ///   is dead.
    func send(_ request: DirectoryRequest, _ controls: [DirectoryControl]) -> Result<Int32, SendProblem> {
        if let problem = request.nulProblem { return .failure(problem) }
        var memory = CallMemory()
        var number: Int32 = -1
        let extra = memory.controls(controls)
        let code: Int32
        switch request {
        case .bind(let name, let password):
            code = ldap_sasl_bind(
                pointer, memory.text(name), nil, memory.pointer(memory.value(password)), extra, nil, &number)
        case .search(let search):
            let scope =
                switch search.scope {
                case .base: LDAP_SCOPE_BASE
                case .one: LDAP_SCOPE_ONELEVEL
                case .subtree: LDAP_SCOPE_SUBTREE
                }
            let wanted = search.attributes.isEmpty ? nil : memory.texts(search.attributes)
            code = ldap_search_ext(
                pointer, memory.text(search.base), scope, memory.text(search.filter.text), wanted, 0, extra, nil, nil,
                search.limit, &number)
        case .add(let name, let attributes):
            let changes = memory.changes(attributes.map { (LDAP_MOD_ADD, $0) })
            code = ldap_add_ext(pointer, memory.text(name), changes, extra, nil, &number)
        case .modify(let name, let modifications):
            let changes = memory.changes(modifications.map { ($0.kind.code, $0.values) })
            code = ldap_modify_ext(pointer, memory.text(name), changes, extra, nil, &number)
        case .delete(let name):
            code = ldap_delete_ext(pointer, memory.text(name), extra, nil, &number)
        case .rename(let name, let leaf, let newParent):
            let parent = newParent.map { memory.text($0) }
            code = ldap_rename(pointer, memory.text(name), memory.text(leaf), parent, 1, extra, nil, &number)
        case .compare(let name, let attribute, let value):
            code = ldap_compare_ext(
                pointer, memory.text(name), memory.text(attribute), memory.pointer(memory.value(value)), extra, nil,
                &number)
        }
        guard code == LDAP_SUCCESS else {
            if code == LDAP_SERVER_DOWN { return .failure(.connectionLost) }
            return .failure(.notMade(Self.words(code)))
        }
        return .success(number)
    }

    enum SendProblem: Error, Equatable {
        case connectionLost
        /// libldap could not build the request: a filter that is none, no memory.
        case notMade(String)
        case nul
    }
}

extension DirectoryModification.Kind {
    var code: Int32 {
        switch self {
        case .add: LDAP_MOD_ADD
        case .delete: LDAP_MOD_DELETE
        case .replace: LDAP_MOD_REPLACE
        }
    }
}

extension DirectoryRequest {
    /// C ends text at a NUL: a name or filter with one in it would be cut short and mean something else.
    fileprivate var nulProblem: LDAPHandle.SendProblem? {
        let texts: [String] =
            switch self {
            case .bind(let name, _), .delete(let name): [name]
            case .search(let search): [search.base, search.filter.text] + search.attributes
            case .add(let name, let attributes): [name] + attributes.map(\.attribute)
            case .modify(let name, let modifications): [name] + modifications.map(\.values.attribute)
            case .rename(let name, let leaf, let newParent): [name, leaf, newParent ?? ""]
            case .compare(let name, let attribute, _): [name, attribute]
            }
        return texts.contains { $0.utf8.contains(0) } ? .nul : nil
    }
}
