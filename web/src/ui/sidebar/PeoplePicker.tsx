import { useState } from 'preact/hooks';
import { directory } from '../../state/people';
import { useApp } from '../app';
import { texts } from '../i18n';
import { Avatar } from '../parts/Avatar';
import { Icon } from '../parts/Icon';
import { Person, useDirectorySearch } from './Directory';
import { Search } from './Sidebar';

const SHOWN_MAX = 100;

/** Several people, found by name. The chosen ones stand above, and a click takes them away again. */
export function PeoplePicker({ chosen, onChange, without }: {
  chosen: readonly string[];
  onChange: (chosen: readonly string[]) => void;
  without: ReadonlySet<string>;
}) {
  const { chat } = useApp();
  const [search, setSearch] = useState('');
  const t = texts();
  useDirectorySearch(search);
  const toggle = (id: string) => onChange(chosen.includes(id) ? chosen.filter((each) => each !== id) : [...chosen, id]);
  const found = directory(chat.people.known.value, search, without).slice(0, SHOWN_MAX);
  return (
    <fieldset class="picker">
      <legend>{t.chooseParticipants}</legend>
      {chosen.length > 0 && (
        <div class="chips">
          {chosen.map((id) => (
            <button type="button" class="chip" key={id} onClick={() => toggle(id)}>
              {chat.people.nameOf(id)}<Icon name="close" size={14} />
            </button>
          ))}
        </div>
      )}
      <Search value={search} onInput={setSearch} label={t.searchPeople} />
      <ul class="list picker-list">
        {found.map((user) => (
          <li key={user.id}>
            <label class="item item-check">
              <input type="checkbox" checked={chosen.includes(user.id)} onChange={() => toggle(user.id)} />
              <Avatar id={user.id} name={user.name} picture={user.avatar} status={user.status} size="s" />
              <Person user={user} />
            </label>
          </li>
        ))}
      </ul>
    </fieldset>
  );
}
